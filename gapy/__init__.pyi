"""What `import gapy` gives, for type checkers: the module finds these names when first used."""

from gapy import active as active
from gapy import baselines as baselines
from gapy import data as data
from gapy import descriptors as descriptors
from gapy import errors as errors
from gapy import plots as plots
from gapy import structures as structures
from gapy import tuning as tuning
from gapy._support.ase_properties import standard_deviations as standard_deviations
from gapy.fit.array_regressor import SparseGPR as SparseGPR
from gapy.fit.pair_settings import Pair as Pair
from gapy.fit.regressor import SparseGPRegressor as SparseGPRegressor
from gapy.fit.term_settings import TermSettings as TermSettings
from gapy.gp.noise import Noise as Noise
from gapy.inspection import inspect as inspect
from gapy.md import run_md as run_md
from gapy.model.calculator import GAPCalculator as GAPCalculator
from gapy.model.committee import Committee as Committee
from gapy.model.loading import load as load
from gapy.model.potential import Potential as Potential
from gapy.structures import LabelKeys as LabelKeys
from gapy.structures import read_structures as read_structures
from gapy.validation.evaluation import evaluate as evaluate
from gapy.validation.propagation import with_error as with_error
from gapy.validation.validating import validate as validate

__version__: str
__all__: list[str]
