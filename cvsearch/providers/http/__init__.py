"""Care around a service that is paid by the call: pacing, retries, and when to give up."""
