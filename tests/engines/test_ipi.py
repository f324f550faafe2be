"""Forces for i-PI: the protocol against a server of the test, and i-PI itself."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.units import Bohr, Hartree

import gapy
from gapy.engines.ipi import Address, Forces, serve
from gapy.errors import GapyError, SpeciesError

INPUT = """<simulation verbosity='low'>
  <output prefix='run'>
    <properties filename='out' stride='1'> [ step, conserved, potential, temperature ] </properties>
    <trajectory filename='pos' stride='1' format='xyz' cell_units='angstrom'> positions{{angstrom}} </trajectory>
    <trajectory filename='sigma' stride='1' extra_type='max_force_std'> extras </trajectory>
  </output>
  <total_steps> 4 </total_steps>
  <prng><seed> 5 </seed></prng>
  {field}
  <system>
    <initialize nbeads='4'>
      <file mode='xyz'> start.xyz </file>
      <velocities mode='thermal' units='kelvin'> 300 </velocities>
    </initialize>
    <forces><force forcefield='gapy'> </force></forces>
    <motion mode='dynamics'>
      <dynamics mode='nve'> <timestep units='femtosecond'> 0.5 </timestep> </dynamics>
    </motion>
    <ensemble><temperature units='kelvin'> 300 </temperature></ensemble>
  </system>
</simulation>
"""  # noqa: E501
SOCKET = "<ffsocket mode='unix' name='gapy'><address> {name} </address></ffsocket>"
DIRECT = (
    "<ffdirect name='gapy'><pes> custom </pes><pes_path> {path} </pes_path>"
    "<parameters> {{model: cual.gapy, start: start.extxyz}} </parameters></ffdirect>"
)


@pytest.fixture(scope="module")
def atoms():
    found = bulk("Cu", a=3.75, cubic=True)
    found.numbers[0] = 13
    cell = found.cell.array.copy()
    cell[1, 0] = 0.4  # what is a row and what a column shows in a triclinic cell
    found.set_cell(cell, scale_atoms=True)
    found.rattle(0.05, seed=1)
    return found


def received(connection, n):
    out = b""
    while len(out) < n:
        out += connection.recv(n - len(out))
    return out


def asked(connection, atoms):
    """Energy, forces, virial and extras by the protocol, atomic units."""
    connection.sendall(b"STATUS".ljust(12))
    if received(connection, 12).strip() == b"NEEDINIT":
        connection.sendall(b"INIT".ljust(12) + np.array([0, 2], np.int32).tobytes() + b"ab")
        connection.sendall(b"STATUS".ljust(12))
        assert received(connection, 12).strip() == b"READY"
    h = atoms.cell.array.T / Bohr
    numbers = np.concatenate([h.ravel(), np.linalg.inv(h).ravel()]).tobytes()
    count = np.int32(len(atoms)).tobytes()
    connection.sendall(b"POSDATA".ljust(12) + numbers + count + (atoms.positions / Bohr).tobytes())
    connection.sendall(b"STATUS".ljust(12))
    assert received(connection, 12).strip() == b"HAVEDATA"
    connection.sendall(b"GETFORCE".ljust(12))
    assert received(connection, 12).strip() == b"FORCEREADY"
    energy = np.frombuffer(received(connection, 8))[0]
    n = np.frombuffer(received(connection, 4), np.int32)[0]
    forces = np.frombuffer(received(connection, 24 * n)).reshape(n, 3)
    virial = np.frombuffer(received(connection, 72)).reshape(3, 3)
    length = np.frombuffer(received(connection, 4), np.int32)[0]
    return energy, forces, virial, json.loads(received(connection, length))


@pytest.fixture(params=["tcp", "unix"])
def listening(request, tmp_path):
    """A server's socket and the address to give."""
    if request.param == "tcp":
        server = socket.create_server(("127.0.0.1", 0))
        yield server, f"127.0.0.1:{server.getsockname()[1]}"
    else:
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(tmp_path / "s"))
        server.listen()
        yield server, f"unix:{tmp_path / 's'}"
    server.close()


def test_the_protocol_gives_what_the_calculator_gives(potential, atoms, listening):
    server, address = listening
    counted = []
    forces = Forces(potential, atoms)
    arguments = (Address.of(address), forces)
    client = threading.Thread(target=serve, args=arguments, kwargs={"report": counted.append})
    client.start()
    connection, _ = server.accept()
    for scale in (1.0, 1.02):
        moved = atoms.copy()
        moved.set_cell(scale * moved.cell.array, scale_atoms=True)
        energy, found, virial, extras = asked(connection, moved)
        moved.calc = potential.calculator(uncertainty=True)
        np.testing.assert_allclose(energy * Hartree, moved.get_potential_energy(), atol=1e-9)
        np.testing.assert_allclose(found * Hartree / Bohr, moved.get_forces(), atol=1e-9)
        stress = moved.get_stress(voigt=False) * moved.get_volume()
        np.testing.assert_allclose(virial.T * Hartree, -stress, atol=1e-9)
        sigma = moved.calc.results["forces_std"][:, 0]
        np.testing.assert_allclose(extras["force_std"], sigma, rtol=1e-9)
        assert extras["max_force_std"] == max(extras["force_std"])
    connection.sendall(b"EXIT".ljust(12))
    client.join(timeout=60)
    connection.close()
    assert not client.is_alive() and counted == [1, 2]


@pytest.mark.parametrize(
    "sent, words",
    [(b"HELLO".ljust(12), "expected STATUS, INIT"), (b"GETFORCE".ljust(12), "before GETFORCE"),
     (b"INIT", "broke within a message")],
)  # fmt: skip
def test_what_else_is_said_there(potential, atoms, sent, words):
    server = socket.create_server(("127.0.0.1", 0))

    def speak():
        connection, _ = server.accept()
        connection.sendall(sent)
        connection.close()

    speaker = threading.Thread(target=speak)
    speaker.start()
    with pytest.raises(GapyError, match=words):
        serve(Address.of(f"127.0.0.1:{server.getsockname()[1]}"), Forces(potential, atoms))
    speaker.join()
    server.close()


def test_what_is_refused(potential, atoms, tmp_path, cli):
    for text in ("nowhere", "host:port", "unix:", "a:70000"):
        with pytest.raises(GapyError, match="address: expected host:port or unix:name"):
            Address.of(text)
    with pytest.raises(GapyError, match="expected i-PI to listen at unix:none-there"):
        serve(Address.of("unix:none-there"), Forces(potential, atoms))
    with pytest.raises(SpeciesError):
        Forces(potential, bulk("Si"))
    with pytest.raises(GapyError, match="expected 4 atoms, as in the start structure, got 2"):
        Forces(potential, atoms)(atoms.cell.array, atoms.positions[:2])
    potential.save(tmp_path / "a.gapy")
    assert "start: expected one" in cli("ipi", tmp_path / "a.gapy").error_line()
    ase.io.write(tmp_path / "a.xyz", atoms)
    arguments = ("ipi", tmp_path / "a.gapy", tmp_path / "a.xyz", "--address", "localhost:1")
    assert "expected i-PI to listen at localhost:1" in cli(*arguments).error_line()


def test_a_molecule_has_no_cell_whatever_box_it_is_in(potential):
    molecule = bulk("Cu", cubic=True)
    molecule.pbc = False
    answer = Forces(potential, molecule, uncertainty=False)(
        10.0 * np.eye(3), molecule.positions / Bohr
    )
    molecule.cell[:] = 0.0
    expected = potential.evaluate(molecule)
    assert answer.energy * Hartree == pytest.approx(expected.energy, abs=1e-9)
    np.testing.assert_array_equal(answer.virial, 0.0)
    assert json.loads(answer.extras) == {}


@pytest.mark.parametrize("way", ["socket", "direct"])
def test_path_integral_dynamics(potential, atoms, tmp_path, way):
    """i-PI moves four beads of a crystal; its energies are those of the model at its positions."""
    pytest.importorskip("ipi")
    potential.save(tmp_path / "cual.gapy")
    h = atoms.cell.cellpar()
    lines = [
        str(len(atoms)),
        f"# CELL(abcABC): {' '.join(f'{v:.9f}' for v in h)} cell{{angstrom}} positions{{angstrom}}",
    ]
    start = atoms.copy()
    start.set_cell(h)  # i-PI's standard orientation
    start.set_scaled_positions(atoms.get_scaled_positions())
    lines += [
        f"{s} {x:.9f} {y:.9f} {z:.9f}" for s, (x, y, z) in zip(start.symbols, start.positions)
    ]
    (tmp_path / "start.xyz").write_text("\n".join(lines) + "\n")
    ase.io.write(tmp_path / "start.extxyz", start)
    name = f"gapy-test-{os.getpid()}"
    field = SOCKET.format(name=name)
    if way == "direct":
        command = [sys.executable, "-m", "gapy", "ipi", "--pes-path"]
        path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        field = DIRECT.format(path=path)
    (tmp_path / "input.xml").write_text(INPUT.format(field=field))
    ipi = [Path(sys.executable).parent / "i-pi", "input.xml"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    running = {"cwd": tmp_path, "env": environment, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(ipi, stderr=subprocess.STDOUT, **running) as server:
        if way == "socket":
            told = _driver(name, running)
            assert "i-PI has ended after" in told, told
        log, _ = server.communicate(timeout=200)
    assert server.returncode == 0, log
    table = np.loadtxt(tmp_path / "run.out")
    assert len(table) == 5 and np.ptp(table[:, 1]) < 1e-4  # Hartree, of the ring polymer
    for step in (0, 4):
        beads = [ase.io.read(tmp_path / f"run.pos_{b}.xyz", index=step) for b in range(4)]
        energies = []
        for bead in beads:
            moved = start.copy()
            moved.positions = bead.positions
            energies.append(potential.evaluate(moved).energy / units.Hartree)
        np.testing.assert_allclose(table[step, 2], np.mean(energies), rtol=1e-5)
    sigmas = [line for line in (tmp_path / "run.sigma_0").read_text().split("\n") if line]
    assert any("max_force_std" in line for line in sigmas)


def _driver(name, running) -> str:
    """What `gapy ipi` says; it is started anew until i-PI listens."""
    command = [sys.executable, "-m", "gapy", "ipi", "cual.gapy", "start.extxyz"]
    for _ in range(60):
        with subprocess.Popen(
            [*command, "--address", f"unix:{name}"], stderr=subprocess.STDOUT, **running
        ) as driver:
            told, _ = driver.communicate(timeout=200)
        if driver.returncode == 0:
            return told
    return told


def test_the_file_for_pes_path_is_there(cli):
    path = Path(cli("ipi", "--pes-path").out.strip())
    assert path.is_file() and path.is_relative_to(Path(gapy.__file__).parent)
