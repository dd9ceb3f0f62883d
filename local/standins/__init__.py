"""Stand-ins for Pulumi plugins, for machines that cannot download the real ones.

They serve the local target alone: each refuses an endpoint that is not loopback.
"""
