"""The feedback service: events on disk, histories of users."""
