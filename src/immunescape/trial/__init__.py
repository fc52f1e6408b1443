"""What is done to virtual patients: regimens, trials, endpoints, survival, designs."""
