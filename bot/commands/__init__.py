"""The commands of `satmachine`, one module each, imported when they are called: each returns its exit code."""
