"""Each policy alone and all of them in their order, on a clock the test moves."""
