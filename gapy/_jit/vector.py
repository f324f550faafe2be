"""Eight numbers as one value in compiled code: explicit SIMD where loops are short.

The loops over radial channels are 8 long; written as scalar loops they stay scalar, because the
compiler cannot prove that the arrays do not overlap. A `Vec8` of doubles lives in one AVX-512
register (two with AVX2, four with SSE2 or NEON), one of single precision in half as many: LLVM
splits it for the machine at hand.

Vectors have the precision of the array that they come from, and scalars are rounded to it. Offsets
count elements of a C-contiguous array of floats of any rank from its start.
"""

from llvmlite import ir
from numba import types
from numba.core.datamodel import models
from numba.core.errors import TypingError
from numba.core.extending import register_model
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

LANES = 8

_ELEMENTS = {types.float64: ir.DoubleType(), types.float32: ir.FloatType()}
_VECTORS = {dtype: ir.VectorType(element, LANES) for dtype, element in _ELEMENTS.items()}
_BYTES = {types.float64: 8, types.float32: 4}
_INT = ir.IntType(32)


class _Vec8(types.Type):
    def __init__(self, dtype):
        self.dtype = dtype
        super().__init__(name=f"Vec8({dtype})")


_VEC8 = {dtype: _Vec8(dtype) for dtype in _ELEMENTS}


def _of(array):
    """The vector type of an array."""
    if getattr(array, "dtype", None) not in _VEC8:
        raise TypingError(f"expected an array of float64 or float32, got {array}")
    return _VEC8[array.dtype]


@register_model(_Vec8)
class _Vec8Model(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, _VECTORS[fe_type.dtype])


def _pointer(context, builder, array_type, array, offset):
    data = make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), _VECTORS[array_type.dtype].as_pointer())


def _splat(builder, scalar):
    undefined = ir.Constant(ir.VectorType(scalar.type, LANES), ir.Undefined)
    one = builder.insert_element(undefined, scalar, _INT(0))
    mask = ir.Constant(ir.VectorType(_INT, LANES), [0] * LANES)
    return builder.shuffle_vector(one, undefined, mask)


def _rounded(context, builder, scalar, of, dtype):
    """A scalar of numba type `of` in every lane of a vector of `dtype`."""
    return _splat(builder, context.cast(builder, scalar, of, dtype))


def _fma(builder, a, b, c):
    return builder.fadd(builder.fmul(a, b, flags=("contract",)), c, flags=("contract",))


@intrinsic
def zero8(typingctx, array):
    """Zeros, in the precision of an array."""

    def codegen(context, builder, signature, args):
        return ir.Constant(_VECTORS[signature.return_type.dtype], [0.0] * LANES)

    return _of(array)(array), codegen


@intrinsic
def load8(typingctx, array, offset):
    """Elements offset..offset+7."""

    def codegen(context, builder, signature, args):
        value = builder.load(_pointer(context, builder, signature.args[0], *args))
        value.align = _BYTES[signature.args[0].dtype]
        return value

    return _of(array)(array, types.intp), codegen


@intrinsic
def store8(typingctx, array, offset, value):
    """Write elements offset..offset+7."""

    def codegen(context, builder, signature, args):
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1])
        builder.store(args[2], pointer, align=_BYTES[signature.args[0].dtype])
        return context.get_dummy_value()

    return types.none(array, types.intp, _of(array)), codegen


@intrinsic
def splat8(typingctx, array, scalar):
    """The same number in every lane, in the precision of an array."""

    def codegen(context, builder, signature, args):
        return _rounded(context, builder, args[1], signature.args[1], signature.args[0].dtype)

    return _of(array)(array, scalar), codegen


@intrinsic
def splat8_at(typingctx, array, offset):
    """Element `offset` in every lane, without the check for negative indices."""

    def codegen(context, builder, signature, args):
        data = make_array(signature.args[0])(context, builder, args[0]).data
        return _splat(builder, builder.load(builder.gep(data, [args[1]])))

    return _of(array)(array, types.intp), codegen


@intrinsic
def mul8(typingctx, a, b):
    """a * b, lane by lane."""

    def codegen(context, builder, signature, args):
        return builder.fmul(args[0], args[1], flags=("contract",))

    return a(a, a), codegen


@intrinsic
def scale8(typingctx, scalar, x):
    """scalar * x."""

    def codegen(context, builder, signature, args):
        factor = _rounded(context, builder, args[0], signature.args[0], signature.args[1].dtype)
        return builder.fmul(factor, args[1], flags=("contract",))

    return x(scalar, x), codegen


@intrinsic
def axpy8(typingctx, scalar, x, y):
    """scalar * x + y."""

    def codegen(context, builder, signature, args):
        factor = _rounded(context, builder, args[0], signature.args[0], signature.args[1].dtype)
        return _fma(builder, factor, args[1], args[2])

    return x(scalar, x, x), codegen


@intrinsic
def fma8(typingctx, a, b, c):
    """a * b + c, lane by lane."""

    def codegen(context, builder, signature, args):
        return _fma(builder, *args)

    return a(a, a, a), codegen


@intrinsic
def transpose8(typingctx, array, offset, stride, out, start):
    """out[start + 8 a + b] = array[offset + stride b + a]: eight rows become eight columns."""

    if _of(array) != _of(out):
        raise TypingError(f"expected arrays of one precision, got {array} and {out}")

    def codegen(context, builder, signature, args):
        of, to = signature.args[0], signature.args[3]
        data = make_array(of)(context, builder, args[0]).data
        target = make_array(to)(context, builder, args[3]).data
        vector, size = _VECTORS[of.dtype], _BYTES[of.dtype]
        rows, at = [], args[1]
        for _ in range(LANES):
            here = builder.bitcast(builder.gep(data, [at]), vector.as_pointer())
            rows.append(builder.load(here, align=size))
            at = builder.add(at, args[2])
        # Blocks of 1, 2 and 4 lanes change places with those of the row that far below.
        for width in (1, 2, 4):
            upper = [k + (LANES - width if k & width else 0) for k in range(LANES)]
            lower = [k + (LANES if k & width else width) for k in range(LANES)]
            new = list(rows)
            for a in range(LANES):
                if not a & width:
                    b = a + width
                    for row, lanes in ((a, upper), (b, lower)):
                        mask = ir.Constant(ir.VectorType(_INT, LANES), lanes)
                        new[row] = builder.shuffle_vector(rows[a], rows[b], mask)
            rows = new
        for k, row in enumerate(rows):
            here = builder.add(args[4], ir.Constant(args[4].type, LANES * k))
            here = builder.bitcast(builder.gep(target, [here]), vector.as_pointer())
            builder.store(row, here, align=size)
        return context.get_dummy_value()

    return types.none(array, types.intp, types.intp, out, types.intp), codegen


@intrinsic
def sum8(typingctx, value):
    """Sum of the lanes, pairwise."""

    def codegen(context, builder, signature, args):
        vector, width = args[0], LANES
        undefined = ir.Constant(vector.type, ir.Undefined)
        while width > 1:
            width //= 2
            lanes = [k + width if k < width else 0 for k in range(LANES)]
            mask = ir.Constant(ir.VectorType(_INT, LANES), lanes)
            vector = builder.fadd(vector, builder.shuffle_vector(vector, undefined, mask))
        return builder.extract_element(vector, _INT(0))

    return value.dtype(value), codegen
