"""The number of BLAS threads belongs to the process, and several threads may set it at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from threadpoolctl import ThreadpoolController

from gapy._support.threads import blas_threads


def numbers():
    """Of numpy's and of scipy's BLAS."""
    blas = ThreadpoolController().select(user_api="blas").lib_controllers
    return {lib.num_threads for lib in blas}


@pytest.fixture(autouse=True)
def two_outside():
    """Two threads for whoever does not ask, also where the machine has one core."""
    controller = ThreadpoolController()
    with controller.limit(limits=2, user_api="blas"):
        if numbers() != {2}:
            pytest.skip("this BLAS has one thread")
        yield


def test_the_number_holds_inside_and_is_restored_after():
    with blas_threads(1):
        assert numbers() == {1}
        with blas_threads(1):
            pass
        assert numbers() == {1}
    assert numbers() == {2}
    with pytest.raises(ZeroDivisionError), blas_threads(1):
        raise ZeroDivisionError
    assert numbers() == {2}


def test_who_leaves_first_restores_nothing_for_who_stays():
    both_inside, one_left = Barrier(2), Barrier(2)

    def leaves_first():
        with blas_threads(1):
            both_inside.wait(60)
        one_left.wait(60)

    def stays():
        with blas_threads(1):
            both_inside.wait(60)
            one_left.wait(60)
            return numbers()

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.submit(leaves_first), pool.submit(stays)
        first.result()
        assert second.result() == {1}
    assert numbers() == {2}


def test_the_smallest_number_holds():
    """Who asked for one thread has its sums in one order; who asked for two only waits longer."""
    one_is_inside, two_came = Barrier(2), Barrier(2)

    def asks_for_one():
        with blas_threads(1):
            one_is_inside.wait(60)
            two_came.wait(60)
            return numbers()

    def asks_for_two():
        one_is_inside.wait(60)
        with blas_threads(2):
            two_came.wait(60)

    with ThreadPoolExecutor(2) as pool:
        second, first = pool.submit(asks_for_two), pool.submit(asks_for_one)
        second.result()
        assert first.result() == {1}
    assert numbers() == {2}
