"""Compiler flags shared by every kernel."""

# Re-association and contraction let the compiler vectorise sums. NaN and infinity keep their
# meaning (no "nnan", no "ninf"): a broken input must stay visible in the output.
FAST = {"reassoc", "contract", "nsz", "arcp"}
