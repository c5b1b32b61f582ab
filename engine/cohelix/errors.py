"""The kinds of error, and the exit code of each: four of any command, and three of the release.

A message says what was expected, what was seen, where, and the way out. It never holds a sample
or person identifier: inputs are named by their row in the manifest, not by their file name.
"""

from __future__ import annotations


class CohelixError(Exception):
    """Root of the errors that cohelix raises on purpose."""

    exit_code = 1


class InputError(CohelixError):
    """A file that was handed in is damaged, missing or not what it says it is."""

    exit_code = 2


class ConfigError(CohelixError):
    """An option or a setting cannot be used as it stands."""

    exit_code = 3


class ReferenceMismatch(CohelixError):
    """Builds, contigs, reference bases or checksums do not agree."""

    exit_code = 4


class ContractError(CohelixError):
    """cohelix broke its own promise: a defect to report."""

    exit_code = 5


class AccessError(CohelixError):
    """Nobody who asks holds a grant for what is to be read, or it is not valid (any more)."""

    exit_code = 6


class IntegrityError(CohelixError):
    """A release is not what was signed: a file, a manifest, a signature or the audit log."""

    exit_code = 7


class DisclosureError(CohelixError):
    """What was to be published would tell of a person more than the policy allows."""

    exit_code = 8
