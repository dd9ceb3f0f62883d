"""IAM: roles and their policies."""

from local.standins.aws.api import Request
from local.standins.aws.kind import Kind

_ROLE = {"RoleName": "{id}"}
_INLINE = {"RoleName": "{role}", "PolicyName": "{name}"}
_ATTACHED = {"RoleName": "{role}", "PolicyArn": "{policyArn}"}
_PUT_INLINE = Request(operation="put_role_policy", parameters=_INLINE | {"PolicyDocument": "{policy}"})

KINDS = {
    "aws:iam/role:Role": Kind(
        service="iam",
        create=Request(operation="create_role", mapped=True, result="Role"),
        reads=(Request(operation="get_role", parameters=_ROLE, result="Role"),),
        changes=(
            Request(
                operation="update_assume_role_policy",
                parameters=_ROLE | {"PolicyDocument": "{assumeRolePolicy}"},
            ),
            Request(
                operation="update_role",
                parameters=_ROLE | {"Description": "{description}", "MaxSessionDuration": "{maxSessionDuration}"},
            ),
        ),
        delete=(Request(operation="delete_role", parameters=_ROLE),),
        names={
            "name": "RoleName",
            "assumeRolePolicy": "AssumeRolePolicyDocument",
            "uniqueId": "RoleId",
            "permissionsBoundary": "PermissionsBoundary.PermissionsBoundaryArn",
        },
        replaces=frozenset({"name", "path"}),
        defaults={"maxSessionDuration": 3600, "path": "/"},
        name_limit=64,
        tagged="{id}",
    ),
    "aws:iam/rolePolicy:RolePolicy": Kind(
        service="iam",
        create=_PUT_INLINE,
        id="{role}:{name}",
        reads=(Request(operation="get_role_policy", parameters=_INLINE),),
        changes=(_PUT_INLINE,),
        delete=(Request(operation="delete_role_policy", parameters=_INLINE),),
        names={"name": "PolicyName", "role": "RoleName", "policy": "PolicyDocument"},
        replaces=frozenset({"name", "role"}),
        name_limit=128,
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Kind(
        service="iam",
        create=Request(operation="attach_role_policy", parameters=_ATTACHED),
        id="{role}/{policyArn}",
        reads=(
            Request(
                operation="list_attached_role_policies",
                parameters={"RoleName": "{role}"},
                result="AttachedPolicies[?PolicyArn=='{policyArn}'] | [0]",
            ),
        ),
        delete=(Request(operation="detach_role_policy", parameters=_ATTACHED),),
        replaces=frozenset({"role", "policyArn"}),
        delete_first=True,
    ),
}
