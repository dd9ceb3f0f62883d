"""Bounded load on this machine's own load balancer: who answered when, and what was dropped."""

from local.load.process import Load
from local.load.report import Report, share
from local.load.timeline import summary, timeline
from local.load.traffic import run

__all__ = ["Load", "Report", "run", "share", "summary", "timeline"]
