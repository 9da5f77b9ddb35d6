package observe

// Free is how many bytes an ordinary user may still write on the file system that holds dir.
func Free(dir string) (int64, error) {
	d, err := diskOf(dir)
	return d.Free, err
}
