"""References, classes, usual doses, harm, trials, designs and claims of the example."""
