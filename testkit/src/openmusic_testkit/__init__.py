"""What the tests of every part share. Imports no part."""
