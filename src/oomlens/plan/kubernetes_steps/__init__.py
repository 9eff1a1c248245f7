"""Plans for the memory of Kubernetes workloads: in files, and on a cluster."""
