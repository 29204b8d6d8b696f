"""Commands beside the main job, a file for each subject."""
