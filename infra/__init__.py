"""The Pulumi program: one container service on Amazon ECS."""
