"""Cut uploads and dead ones, with a real storage engine."""

from destinations.test_s3_resume import *  # noqa: F403
