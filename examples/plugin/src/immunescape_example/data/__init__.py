"""References, classes, usual doses, toxicity, trials, designs and claims of the example."""
