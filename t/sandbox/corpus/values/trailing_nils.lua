-- expect: ok
-- returns: nil, 1, nil, nil
return nil, 1, nil, nil
