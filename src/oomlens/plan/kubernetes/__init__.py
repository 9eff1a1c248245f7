"""Memory of Kubernetes workloads: what is set where, what it means, and how it is changed."""
