import pytest

from infra.task_size import MEMORY_MIB_BY_CPU_UNITS, memory_choices


@pytest.mark.parametrize(
    ("cpu", "memory", "fits"),
    [
        (256, 512, True),
        (256, 2048, True),
        (256, 3072, False),
        (512, 512, False),
        (1024, 2048, True),
        (1024, 2560, False),
        (4096, 30720, True),
        (8192, 61440, True),
        (8192, 17408, False),
        (16384, 122880, True),
        (16384, 36864, False),
    ],
)
def test_which_sizes_fargate_offers(cpu: int, memory: int, fits: bool) -> None:
    assert (memory in MEMORY_MIB_BY_CPU_UNITS[cpu]) is fits


def test_choices_are_said_in_words() -> None:
    assert memory_choices(256) == "512, 1024, 2048"
    assert memory_choices(8192) == "16384 to 61440 by 4096"
