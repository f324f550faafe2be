"""What a training set holds, repeats and lacks."""

from gapy.inspection.report import InspectionReport
from gapy.inspection.run import inspect

__all__ = ["InspectionReport", "inspect"]
