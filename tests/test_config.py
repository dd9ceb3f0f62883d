import re

import pytest
import yaml

from infra.architecture import Architecture
from infra.config import Config, Nat
from infra.config_reader import ConfigError
from tests.recording import DEFAULTS, ROOT


def test_the_defaults_are_valid() -> None:
    config = Config.parse(DEFAULTS)
    assert config.service.architecture is Architecture.AMD64
    assert config.image.architectures == (Architecture.AMD64, Architecture.ARM64)
    assert config.network.nat is Nat.NONE
    assert not config.service.is_scaled


def test_the_production_stack_says_only_what_differs_from_the_defaults() -> None:
    values = yaml.safe_load((ROOT / "Pulumi.prod.yaml").read_text())["config"]
    own = {key.removeprefix("ecs-multiarch:"): v for key, v in values.items() if key.startswith("ecs-multiarch:")}
    Config.parse(DEFAULTS | own)
    assert not own.items() & DEFAULTS.items()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        pytest.param({"arch": "riscv"}, 'arch: "riscv" can\'t be used; allowed: amd64', id="unknown architecture"),
        pytest.param({"arch": ""}, 'arch: "" can\'t be used', id="empty architecture"),
        pytest.param({"split": "-1"}, 'split: "-1" can\'t be used; allowed: a whole number from 0 to 99', id="split<0"),
        pytest.param({"split": "100"}, 'split: "100" can\'t be used', id="split of everything"),
        pytest.param({"cpu": "300"}, 'cpu: "300" can\'t be used; allowed: 256, 512, 1024', id="cpu between sizes"),
        pytest.param({"cpu": "many"}, 'cpu: "many" can\'t be used', id="cpu in words"),
        pytest.param(
            {"cpu": "256", "memory": "8192"}, 'memory: "8192" does not fit cpu 256; allowed: 512, 1024, 2048', id="size"
        ),
        pytest.param({"minTasks": "3", "maxTasks": "2"}, 'maxTasks: "2" is below minTasks 3', id="min above max"),
        pytest.param({"minTasks": "0"}, 'minTasks: "0" can\'t be used', id="no task"),
        pytest.param({"spot": "maybe"}, 'spot: "maybe" can\'t be used; allowed: true, false', id="spot"),
        pytest.param({"rollout": "fast"}, 'rollout: "fast" can\'t be used; allowed: rolling, canary', id="rollout"),
        pytest.param({"canaryPercent": "0.15"}, "canaryPercent: ", id="steps of a tenth"),
        pytest.param({"stepPercent": "2"}, "a number from 3 to 100", id="step too small"),
        pytest.param({"bakeMinutes": "1441"}, "from 0 to 1440", id="bake above a day"),
        pytest.param({"archh": "arm64"}, "archh: unknown config key (did you mean arch?)", id="misspelt key"),
        pytest.param({"colour": "red"}, "colour: unknown config key; allowed: arch, bakeMinutes", id="unknown key"),
        pytest.param(
            {"platforms": "amd64", "arch": "arm64"}, 'platforms: "amd64" leaves out arch arm64', id="platforms"
        ),
        pytest.param(
            {"split": "25", "rollout": "canary"},
            'split: "25" needs rollout rolling, because ECS owns',
            id="split+canary",
        ),
        pytest.param(
            {"split": "25", "platforms": "amd64"},
            'platforms: "amd64" leaves out arm64, which split',
            id="split platforms",
        ),
        pytest.param({"platforms": "amd64,mips"}, 'platforms: "amd64,mips" can\'t be used', id="unknown platform"),
        pytest.param({"nat": "two"}, "allowed: none, single, one-per-az", id="nat"),
        pytest.param({"certificateArn": "mine"}, "certificateArn: ", id="certificate"),
        pytest.param({"registry": "https://r.example"}, "registry: ", id="registry with a scheme"),
        pytest.param({"baseImage": "a b"}, "baseImage: ", id="image reference"),
        pytest.param({"version": "1 2"}, "version: ", id="version"),
    ],
)
def test_bad_config_gets_one_line_that_says_how_to_mend_it(changed: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.parse(DEFAULTS | changed)
    text = str(caught.value)
    assert message in text
    assert "; to mend it: pulumi config " in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("split", "tasks", "main", "other"),
    [("0", "2", 2, 1), ("25", "4", 3, 1), ("25", "2", 2, 1), ("60", "10", 4, 6), ("99", "2", 1, 2)],
)
def test_tasks_are_shared_in_proportion_with_at_least_one(split: str, tasks: str, main: int, other: int) -> None:
    config = Config.parse(DEFAULTS | {"split": split, "minTasks": tasks, "maxTasks": tasks})
    assert (config.main.min_tasks, config.other.min_tasks) == (main, other)
    assert config.main.architecture is config.other.architecture.other


@pytest.mark.parametrize(
    ("rollout", "step", "shifts"),
    [("rolling", "10", 0), ("blue-green", "10", 1), ("canary", "10", 2), ("linear", "30", 4)],
)
def test_how_often_a_rollout_shifts_traffic(rollout: str, step: str, shifts: int) -> None:
    config = Config.parse(DEFAULTS | {"rollout": rollout, "stepPercent": step})
    assert config.service.rollout.shifts == shifts


def test_a_missing_key_is_named() -> None:
    without = {key: value for key, value in DEFAULTS.items() if key != "arch"}
    with pytest.raises(ConfigError, match=r"^arch: is not set; allowed: "):
        Config.parse(without)


def test_the_readme_lists_every_key_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (?:`([^`]*)`|) ?\|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert dict(rows) == DEFAULTS
