// Starts Swagger UI, and logs it in with the access token of any successful login or refresh.
'use strict';

const reference = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#reference',
  deepLinking: true,
  docExpansion: 'list',
  tryItOutEnabled: true,
  validatorUrl: null, // no third party is told of this document
  responseInterceptor: (response) => {
    const path = new URL(response.url, location.href).pathname;
    if (path === '/authentications' && response.ok) {
      const token = JSON.parse(response.text).data?.accessToken;
      if (token) reference.preauthorizeApiKey('accessToken', token);
    }
    return response;
  },
});
