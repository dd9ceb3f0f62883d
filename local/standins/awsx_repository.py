"""The component `awsx:ecr:Repository`: a repository and its lifecycle policy, as awsx makes them."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

REPOSITORY_INPUTS = {
    "encryptionConfigurations": "encryption_configurations",
    "forceDelete": "force_delete",
    "imageScanningConfiguration": "image_scanning_configuration",
    "imageTagMutability": "image_tag_mutability",
    "imageTagMutabilityExclusionFilters": "image_tag_mutability_exclusion_filters",
    "name": "name",
    "region": "region",
    "tags": "tags",
}
"""Inputs that go to the repository itself, with their Python spelling."""

POLICY_INPUTS = frozenset({"rules", "skip"})
RULE_INPUTS = frozenset({"description", "maximumAgeLimit", "maximumNumberOfImages", "tagPrefixList", "tagStatus"})
DEFAULT_RULES = ({"description": "remove untagged images", "tagStatus": "untagged", "maximumNumberOfImages": 1},)


class Repository(pulumi.ComponentResource):
    """An ECR repository whose images a lifecycle policy cleans up."""

    def __init__(self, name: str, inputs: Mapping[str, Any], opts: pulumi.ResourceOptions | None) -> None:
        super().__init__("awsx:ecr:Repository", name, {}, opts)
        _refuse_unknown(inputs, REPOSITORY_INPUTS.keys() | {"lifecyclePolicy"})
        child = pulumi.ResourceOptions(parent=self)
        own = {python: inputs[wire] for wire, python in REPOSITORY_INPUTS.items() if wire in inputs}
        repository = aws.ecr.Repository(name.lower(), **own, opts=child)
        self.outputs: dict[str, Any] = {"repository": repository, "url": repository.repository_url}
        policy = inputs.get("lifecyclePolicy", {})
        _refuse_unknown(policy, POLICY_INPUTS)
        if not policy.get("skip"):
            rules: pulumi.Output[Any] = pulumi.Output.from_input(policy.get("rules", list(DEFAULT_RULES)))
            document: pulumi.Output[Any] = rules.apply(lifecycle_policy)
            self.outputs["lifecyclePolicy"] = aws.ecr.LifecyclePolicy(
                name.lower(), repository=repository.name, policy=document, opts=child
            )
        self.register_outputs(self.outputs)


def lifecycle_policy(rules: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Translate awsx's rules to ECR's policy document; order is priority, and a rule for `any` comes last.

    Raises:
        ValueError: a rule says too little, or there are several for `any`.
    """
    for_any = [rule for rule in rules if rule["tagStatus"] == "any"]
    if len(for_any) > 1:
        raise ValueError('lifecyclePolicy: At most one [selection: "any"] rule can be provided.')
    ordered = [*(rule for rule in rules if rule["tagStatus"] != "any"), *for_any]
    return {"rules": [_policy_rule(rule, priority) for priority, rule in enumerate(ordered, 1)]}


def _policy_rule(rule: Mapping[str, Any], priority: int) -> dict[str, Any]:
    _refuse_unknown(rule, RULE_INPUTS)
    document = {
        "rulePriority": priority,
        "selection": _tags(rule) | _count(rule),
        "action": {"type": "expire"},
    }
    return document | ({"description": rule["description"]} if "description" in rule else {})


def _tags(rule: Mapping[str, Any]) -> dict[str, Any]:
    if rule["tagStatus"] in ("any", "untagged"):
        return {"tagStatus": rule["tagStatus"]}
    if not rule.get("tagPrefixList"):
        raise ValueError("lifecyclePolicy: tagPrefixList cannot be empty.")
    return {"tagStatus": "tagged", "tagPrefixList": rule["tagPrefixList"]}


def _count(rule: Mapping[str, Any]) -> dict[str, Any]:
    if "maximumNumberOfImages" in rule:
        return {"countType": "imageCountMoreThan", "countNumber": int(rule["maximumNumberOfImages"])}
    if "maximumAgeLimit" in rule:
        return {
            "countType": "sinceImagePushed",
            "countNumber": int(rule["maximumAgeLimit"]),
            "countUnit": "days",
        }
    raise ValueError(
        "lifecyclePolicy: Either [maximumNumberOfImages] or [maximumAgeLimit] must be provided with a rule."
    )


def _refuse_unknown(given: Mapping[str, Any], known: frozenset[str] | set[str]) -> None:
    if unknown := sorted(given.keys() - known):
        raise ValueError(f"{unknown[0]}: not supported by the stand-in; it has {', '.join(sorted(known))}")
