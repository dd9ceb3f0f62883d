"""Which memory sizes Fargate offers for each CPU size."""

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
# CPU units (1024 are one vCPU) to MiB.
MEMORY_MIB_BY_CPU_UNITS = {
    256: (512, 1024, 2048),
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
    8192: range(16384, 61440 + 1, 4096),
    16384: range(32768, 122880 + 1, 8192),
}


def memory_choices(cpu_units: int) -> str:
    """Say in words what memory fits `cpu_units`, in MiB: `1024 to 4096 by 1024`."""
    sizes = MEMORY_MIB_BY_CPU_UNITS[cpu_units]
    if isinstance(sizes, range):
        return f"{sizes[0]} to {sizes[-1]} by {sizes.step}"
    return ", ".join(map(str, sizes))
