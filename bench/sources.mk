# programs that measure
