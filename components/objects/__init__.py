"""REST objects as Pulumi resources: the one reconcile engine that identity and proxy share. Start at `dialect`."""
