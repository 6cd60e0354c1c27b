# SPDX-License-Identifier: MIT OR Apache-2.0
"""The command ./helix: builds, boots, tests and measures Helix. One idea per file."""
