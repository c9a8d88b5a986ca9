"""Networks, a folder an architecture, and the adapters that give each its role."""
