"""Every choice the platform makes, pure: no clock, log, disk, network or hidden randomness."""
