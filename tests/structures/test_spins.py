"""Signs of magnetic moments: read with the labels, part of what a structure is, kept on the way."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write

import gapy
from gapy.active.frames import Request
from gapy.active.initial import Initial
from gapy.active.process import job_of
from gapy.descriptors import MagneticSOAP, as_descriptor, smooth_soap
from gapy.errors import StructureError
from gapy.fit.checks import labelled
from gapy.md.frames import to_extxyz
from gapy.structures import StructureWarning, from_atoms
from gapy.structures.duplicates import find_duplicates
from gapy.structures.spins import KEY, moments_of, ordered_elements, signs_of, with_signs


def iron(signs=None, moments=None):
    atoms = bulk("Fe", cubic=True)
    atoms.set_initial_magnetic_moments(None)  # ASE has some of its own, of one shape
    atoms.set_initial_magnetic_moments(moments)
    atoms.info["REF_energy"] = -1.0
    return with_signs(atoms, signs)


@pytest.mark.parametrize(
    ("signs", "moments", "read_as"),
    [
        (None, None, None),
        ([1, -1], None, [1, -1]),
        (None, [2.2, -0.1], [1, -1]),
        (None, [0.0, 3.0], [0, 1]),
        ([0, -1], [2.2, 2.2], [0, -1]),
    ],
)
def test_files_hold_them(tmp_path, signs, moments, read_as):
    write(tmp_path / "a.xyz", iron(signs, moments), format="extxyz")
    (found,) = gapy.read_structures(tmp_path / "a.xyz")
    known = signs_of(found.atoms)
    assert known is None if read_as is None else known.tolist() == read_as


def test_moments_have_the_signs_and_a_size():
    assert moments_of(iron()) is None
    assert moments_of(iron([1, -1])).tolist() == [1.0, -1.0]
    assert moments_of(iron([-1, 0], [2.5, 2.5])).tolist() == [-2.5, 0.0]


@pytest.mark.parametrize("wrong", [[1, 2], [0.5, 1.0], [[1, 0], [0, 1]], ["a", "b"]])
def test_what_are_no_signs_names_the_frame(wrong):
    bad = iron()
    bad.set_array(KEY, np.array(wrong))
    with pytest.raises(StructureError, match=r"frame 1: magmom_sign: expected -1, 0 or 1 for each"):
        from_atoms([iron(), bad])


def test_moments_that_are_vectors_are_refused():
    with pytest.raises(StructureError, match="collinear moments, got an array"):
        signs_of(Atoms("Fe2", magmoms=np.eye(3)[:2]))
    with pytest.raises(StructureError, match="finite numbers"):
        signs_of(iron(moments=[np.nan, 1.0]))


@pytest.mark.parametrize("moments", [np.ones((2, 3)), [np.nan, 2.0]])
def test_moments_that_cannot_be_read_are_unknown_until_a_descriptor_asks(moments):
    atoms = iron(moments=moments)
    (found,) = from_atoms([atoms])
    assert signs_of(found.atoms) is None
    assert Request.initial(atoms, "a").moments is None
    soap = smooth_soap(["Fe"], r_cut=3.5, n_max=2, l_max=1)
    labelled([atoms], gapy.structures.LabelKeys(), [as_descriptor(soap)])
    with pytest.raises(StructureError, match="frame 0 does not say the signs of its moments"):
        labelled([atoms], gapy.structures.LabelKeys(), [MagneticSOAP(soap, ["Fe"])])


@pytest.mark.parametrize("n", [3, 4])
def test_signs_beside_vectors_take_their_lengths(n):
    atoms = Atoms(f"Fe{n}", np.eye(n, 3), magmoms=np.outer(np.arange(n), [0.0, 3.0, 4.0]))
    signs = np.array([-1, -1, 1, 0])[:n]
    sizes = np.array([1.0, 5.0, 10.0, 15.0])[:n]
    assert moments_of(with_signs(atoms, signs)) == pytest.approx(signs * sizes)


def test_they_are_part_of_what_a_structure_is():
    none, zero, up, mixed = from_atoms([iron(), iron([0, 0]), iron([1, 1]), iron([1, -1])])
    assert none.digest() == zero.digest()
    assert len({s.digest() for s in (none, up, mixed)}) == 3
    assert find_duplicates([up, mixed], [26]) == ([], [])
    assert len(find_duplicates([up, up], [26])[0]) == 1


@pytest.mark.parametrize("magnetic", [(), (26,)])
def test_orders_that_nobody_looks_at_are_no_excuse_for_other_labels(magnetic):
    """E(m) = E(-m) always; other orders are told apart where a descriptor looks at them."""
    signs = [1, 1], [-1, -1], [0, 0], None
    frames = [iron(s) for s in signs]
    for k, atoms in enumerate(frames):
        atoms.info["REF_energy"] = -1.0 - k
    soap = smooth_soap(["Fe"], r_cut=3.5, n_max=2, l_max=1)
    descriptor = MagneticSOAP(soap, magnetic) if magnetic else as_descriptor(soap)
    frames = frames[:3] if magnetic else frames
    keys = gapy.structures.LabelKeys()
    with pytest.warns(StructureWarning) as told:
        labelled(frames, keys, [descriptor])
    found = [str(w.message).partition(" but")[0] for w in told]
    pairs = [(1, 0)] if magnetic else [(1, 0), (2, 0), (3, 0)]
    with_other_signs = ["other signs" in str(w.message) for w in told]
    assert with_other_signs == ([False] if magnetic else [False, True, True])
    assert found == [f"frames frame {a}: same structure as frames frame {b}" for a, b in pairs]


def test_elements_of_both_signs():
    alloy = Atoms("FeCoO", np.eye(3))
    assert ordered_elements([with_signs(alloy.copy(), [1, 1, 0])]) == ()
    assert ordered_elements([alloy, with_signs(alloy.copy(), [1, -1, 0])]) == (26, 27)


def test_a_request_takes_them_to_the_calculation():
    requests = Initial(rattles=0).requests([("a", iron([1, 1])), ("b", iron([1, -1]))], 0)
    assert [r.moments.tolist() for r in requests] == [[1.0, 1.0], [1.0, -1.0]]
    again = Request(**requests[1].to_dict())
    job = job_of(again, b"", "here", None, 10.0)
    assert job.atoms.get_initial_magnetic_moments().tolist() == [1.0, -1.0]


def test_frames_of_molecular_dynamics_keep_them(tmp_path):
    (tmp_path / "a.xyz").write_bytes(to_extxyz(iron([1, -1], [2.0, 2.0])))
    assert signs_of(gapy.structures.read_atoms(tmp_path / "a.xyz")[0]).tolist() == [1, -1]
