"""From measurements to a call for each resistance mechanism: present, absent, not assessable or conflicting."""

from immunescape.profile.calls.caller import CallTable, call_mechanisms

__all__ = ["CallTable", "call_mechanisms"]
