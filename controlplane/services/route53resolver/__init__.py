"""Amazon Route 53 Resolver: who answers the questions of VPCs."""
