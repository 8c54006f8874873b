"""What losses, layers and transforms share in speaking to torch: checks of tensors, generators, tracing."""
