"""What of an account outlives it here: the notes of what was decided, for as long as they are kept at all."""

from __future__ import annotations

from controlplane.work.closing import keeps

keeps("access_decisions", "access_trail_chunks")
