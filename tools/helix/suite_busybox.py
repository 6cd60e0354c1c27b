# SPDX-License-Identifier: MIT OR Apache-2.0
from helix.report import Job
def jobs(_): return []
