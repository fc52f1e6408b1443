"""What the native engine is checked against and timed beside: libroadrunner, other simulators, the SBML Test Suite."""
