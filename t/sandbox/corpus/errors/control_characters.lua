-- expect: error
error("\27[2J\27]0;LEAK\7\0\8\127\155 after", 0)
