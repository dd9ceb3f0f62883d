"""A stand-in for Pulumi's aws plugin, which drives boto3 against the emulator.

The types it knows are tables (network, balancing, containers, identity); the names, types and requirements of
their properties come from the pulumi_aws SDK, and those of the API's parameters from botocore's service models.
"""
