"""Serves the stand-in for the aws plugin: `python -m local.standins.aws`."""

from local.standins.aws.provider import AwsProvider
from local.standins.servicer import serve

serve(AwsProvider())
