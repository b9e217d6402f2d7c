"""Run folders: made in one call, repeated, and checked against what they say of themselves."""

from spa2v_lib.runs.make import StageProgress, generate_run
from spa2v_lib.runs.record import VERSION, code_hash, read_record, weights_of
from spa2v_lib.runs.repeat import Difference, Verification, rerun, verify
from spa2v_lib.runs.settings import Settings, check_settings, settings_table

__all__ = [
    "VERSION",
    "Difference",
    "Settings",
    "StageProgress",
    "Verification",
    "check_settings",
    "code_hash",
    "generate_run",
    "read_record",
    "rerun",
    "settings_table",
    "verify",
    "weights_of",
]
