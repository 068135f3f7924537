"""The gateway over scripted services, joined in memory on a clock the test moves."""
