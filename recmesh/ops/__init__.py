"""What every process needs: settings, log, metrics registry, health, the admin port, and running until told to stop."""
