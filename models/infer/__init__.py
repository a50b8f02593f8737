"""From motion to pictures: poses as the video generators of others want them drawn, and as videos to look at."""
