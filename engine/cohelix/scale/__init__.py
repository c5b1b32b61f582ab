"""What a job needs at a number of samples, from measured rates and the headers of the inputs."""
