"""Use-cases: when and why. The only place where subsystems meet; never touches the kernel."""
