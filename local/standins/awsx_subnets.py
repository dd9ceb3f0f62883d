"""How awsx divides a VPC into subnets with its strategy Auto.

The zones take equal parts of the VPC; each zone's subnets follow one another in the order of their
specifications, each aligned to its own size. Source: awsx 3.11.0, behaviour of `subnetStrategy: Auto`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import combinations
from typing import Any

Spec = dict[str, Any]
"""One specification as the component takes it: `type`, and optionally `name`, `cidrMask`, `tags`."""

TYPES = ("Public", "Private", "Isolated", "Unused")
"""Types of subnets, in the order in which those of a zone are made."""

SMALLEST_ZONE_MASK = 26
LARGEST_DEFAULT_MASK = 16


@dataclass(frozen=True, kw_only=True)
class Subnet:
    """A subnet that is to be made."""

    name: str
    type: str
    zone: str
    cidr_block: IPv4Network
    tags: dict[str, str]


def layout(
    name: str, vpc: IPv4Network, zones: Sequence[str], specs: Sequence[Spec] | None, zone_mask: int | None
) -> list[Subnet]:
    """Lay out the subnets of all zones.

    Args:
        name: Name of the VPC, before which each subnet's name stands.
        vpc: The VPC's range.
        zones: Names of the availability zones.
        specs: What each zone gets; None for a private and a smaller public subnet.
        zone_mask: Prefix length of a zone's part; None to divide the VPC evenly.

    Raises:
        ValueError: the subnets do not fit, or overlap.
    """
    zone_mask = zone_mask or vpc.prefixlen + _bits(len(zones))
    specs = default_specs(zone_mask) if specs is None else specs
    if not specs:
        raise ValueError("No subnets specified")
    masks = [spec.get("cidrMask") or zone_mask + _bits(len(specs)) for spec in specs]
    available, needed = 2 ** (32 - zone_mask), sum(2 ** (32 - mask) for mask in masks)
    if needed > available:
        raise ValueError(
            f"Subnets are too large for VPC. VPC has {available} addresses, but subnets require {needed} addresses."
        )
    subnets = []
    for number, zone in enumerate(zones):
        base = IPv4Network((int(vpc.network_address) + number * available, zone_mask), strict=False)
        for spec, block in zip(specs, _consecutive(base, masks), strict=True):
            label = f"{name}-{spec.get('name') or spec['type'].lower()}-{number + 1}"
            subnets.append(
                Subnet(name=label, type=spec["type"], zone=zone, cidr_block=block, tags=spec.get("tags", {}))
            )
    _refuse_overlaps(subnets)
    return sorted(subnets, key=lambda subnet: (zones.index(subnet.zone), TYPES.index(subnet.type)))


def default_specs(zone_mask: int) -> list[Spec]:
    """Give each zone half of its part, of the first /16 at most, privately, and a quarter publicly."""
    if zone_mask > SMALLEST_ZONE_MASK:
        raise ValueError(
            f"Automatic subnet creation requires a VPC with at least /{SMALLEST_ZONE_MASK} available per AZ, "
            f"but only /{zone_mask} is available; specify the subnets explicitly."
        )
    mask = max(zone_mask, LARGEST_DEFAULT_MASK)
    return [{"type": "Private", "cidrMask": mask + 1}, {"type": "Public", "cidrMask": mask + 2}]


def _bits(count: int) -> int:
    """Count the bits that number so many parts."""
    return (count - 1).bit_length()


def _consecutive(base: IPv4Network, masks: Sequence[int]) -> list[IPv4Network]:
    blocks = [IPv4Network((int(base.network_address), masks[0]))]
    for mask in masks[1:]:
        last = IPv4Network((int(blocks[-1].broadcast_address), mask), strict=False)
        blocks.append(IPv4Network((int(last.broadcast_address) + 1, mask)))
    return blocks


def _refuse_overlaps(subnets: Sequence[Subnet]) -> None:
    for one, other in combinations(subnets, 2):
        if one.cidr_block.overlaps(other.cidr_block):
            raise ValueError(
                f"{one.name} {one.cidr_block} overlaps {other.name} {other.cidr_block}: make the CIDR for the "
                "VPC larger, reduce the size of the subnets per AZ, or use less Availability Zones"
            )
