"""What an account used is owed also after it was closed."""

from __future__ import annotations

from controlplane.work.closing import keeps

keeps("usage_ledger", "usage_spans")
