module dbsyncd.example/go

go 1.19
