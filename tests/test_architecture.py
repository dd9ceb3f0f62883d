import pytest

from infra.architecture import Architecture


@pytest.mark.parametrize(
    ("text", "architecture"),
    [
        ("amd64", Architecture.AMD64),
        ("x86_64", Architecture.AMD64),
        ("X86_64", Architecture.AMD64),
        ("arm64", Architecture.ARM64),
        ("ARM64", Architecture.ARM64),
        ("aarch64", Architecture.ARM64),
    ],
)
def test_every_spelling_is_understood(text: str, architecture: Architecture) -> None:
    assert Architecture.parse(text) is architecture


@pytest.mark.parametrize("text", ["", "riscv", "arm", "linux/arm64", "i386"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}$"):
        Architecture.parse(text)


def test_each_has_the_platform_and_the_other() -> None:
    assert [a.platform for a in Architecture] == ["linux/amd64", "linux/arm64"]
    assert [a.other for a in Architecture] == [Architecture.ARM64, Architecture.AMD64]
