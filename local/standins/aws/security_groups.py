"""EC2: security groups and their rules."""

from local.standins.aws.api import Request
from local.standins.aws.kind import Kind
from local.standins.aws.network import arn_of
from local.standins.wire import Props


def _permissions(props: Props) -> list[Props]:
    """The rule of a security group as the list of permissions that the authorizing calls take."""
    described = {"Description": props["description"]} if props.get("description") else {}
    permission: Props = {"IpProtocol": props["ipProtocol"]}
    permission |= {
        member: props[prop] for prop, member in (("fromPort", "FromPort"), ("toPort", "ToPort")) if prop in props
    }
    sources = {
        "cidrIpv4": ("IpRanges", "CidrIp"),
        "cidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
        "prefixListId": ("PrefixListIds", "PrefixListId"),
        "referencedSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
    }
    for prop, (member, key) in sources.items():
        if props.get(prop):
            permission[member] = [{key: props[prop], **described}]
    return [permission]


_RULE = {
    "IpProtocol": "{ipProtocol}",
    "FromPort": "{fromPort}",
    "ToPort": "{toPort}",
    "CidrIpv4": "{cidrIpv4}",
    "CidrIpv6": "{cidrIpv6}",
    "PrefixListId": "{prefixListId}",
    "ReferencedGroupId": "{referencedSecurityGroupId}",
    "Description": "{description}",
}
_RULE_PROPERTIES = (
    "securityGroupId ipProtocol fromPort toPort cidrIpv4 cidrIpv6 prefixListId referencedSecurityGroupId description"
)


def _rule(direction: str) -> Kind:
    return Kind(
        service="ec2",
        create=Request(
            operation=f"authorize_security_group_{direction}",
            parameters=lambda props: {"GroupId": props["securityGroupId"], "IpPermissions": _permissions(props)},
            on=tuple(_RULE_PROPERTIES.split()),
            result="SecurityGroupRules[0]",
        ),
        id="{SecurityGroupRuleId}",
        reads=(
            Request(
                operation="describe_security_group_rules",
                parameters={"SecurityGroupRuleIds": ["{id}"]},
                result="SecurityGroupRules[0]",
            ),
        ),
        changes=(
            Request(
                operation="modify_security_group_rules",
                parameters={
                    "GroupId": "{securityGroupId}",
                    "SecurityGroupRules": [{"SecurityGroupRuleId": "{id}", "SecurityGroupRule": _RULE}],
                },
            ),
        ),
        delete=(
            Request(
                operation=f"revoke_security_group_{direction}",
                parameters={"GroupId": "{securityGroupId}", "SecurityGroupRuleIds": ["{id}"]},
            ),
        ),
        names={
            "securityGroupId": "GroupId",
            "securityGroupRuleId": "SecurityGroupRuleId",
            "referencedSecurityGroupId": "ReferencedGroupInfo.GroupId",
        },
        replaces=frozenset({"securityGroupId"}),
        computed={"arn": arn_of("security-group-rule"), "securityGroupRuleId": lambda places: places["id"]},
        tag_type="security-group-rule",
        tagged="{id}",
    )


_DESCRIBED = Request(
    operation="describe_security_groups", parameters={"GroupIds": ["{id}"]}, result="SecurityGroups[0]"
)
_NAMES = {"name": "GroupName"}

KINDS = {
    "aws:ec2/securityGroup:SecurityGroup": Kind(
        service="ec2",
        create=Request(
            operation="create_security_group",
            parameters={"GroupName": "{name}", "Description": "{description}", "VpcId": "{vpcId}"},
        ),
        id="{GroupId}",
        # A new group lets everything out; Pulumi's own plugin takes that rule away too.
        after=(
            Request(
                operation="revoke_security_group_egress",
                parameters={
                    "GroupId": "{id}",
                    "IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
                },
            ),
        ),
        reads=(_DESCRIBED,),
        delete=(Request(operation="delete_security_group", parameters={"GroupId": "{id}"}),),
        names=_NAMES,
        replaces=frozenset({"name", "description", "vpcId"}),
        defaults={"description": "Managed by Pulumi"},
        provider_only=frozenset({"revokeRulesOnDelete"}),
        computed={"arn": arn_of("security-group")},
        name_limit=255,
        tag_type="security-group",
        tagged="{id}",
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": Kind(
        service="ec2",
        # The group exists with its VPC: it is adopted, and loses its rules.
        create=Request(
            operation="describe_security_groups",
            parameters={
                "Filters": [
                    {"Name": "vpc-id", "Values": ["{vpcId}"]},
                    {"Name": "group-name", "Values": ["default"]},
                ]
            },
            result="SecurityGroups[0]",
        ),
        id="{GroupId}",
        after=tuple(
            Request(
                operation=f"revoke_security_group_{direction}",
                parameters={"GroupId": "{id}", "IpPermissions": f"{{{member}}}"},
                when=member,
            )
            for direction, member in (("ingress", "IpPermissions"), ("egress", "IpPermissionsEgress"))
        ),
        reads=(_DESCRIBED,),
        names=_NAMES,
        replaces=frozenset({"vpcId"}),
        provider_only=frozenset({"revokeRulesOnDelete"}),
        computed={"arn": arn_of("security-group")},
        tagged="{id}",
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _rule("ingress"),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _rule("egress"),
}
